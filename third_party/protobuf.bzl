"""cc_proto: a C++ library from .proto files, by the distribution's protoc."""

def cc_proto(name, srcs, visibility = None):
    """Generates and compiles the C++ code of `srcs`, which import nothing outside this package."""
    stems = [src[:-len(".proto")] for src in srcs]
    headers = [stem + ".pb.h" for stem in stems]
    sources = [stem + ".pb.cc" for stem in stems]
    native.genrule(
        name = name + "_generate",
        srcs = srcs,
        outs = headers + sources,
        cmd = "protoc --proto_path=. --cpp_out=$(GENDIR) $(SRCS)",
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-w"],  # Generated code answers to no warning of ours.
        visibility = visibility,
        deps = ["//third_party:protobuf"],
    )
