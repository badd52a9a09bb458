"""The project's own C++ rules: Bazel's, with our warnings, and fuzz targets.

Load these instead of the native rules, so that every line of ours meets the same warnings.
"""

COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wno-unused-parameter",
    # Abseil's and Protobuf's inline code trips g++ 12's flow analysis in ways that we cannot mend.
    "-Wno-maybe-uninitialized",
    "-Wno-stringop-overflow",
    "-Wno-array-bounds",
    "-Wno-unknown-warning-option",
    "-fno-strict-aliasing",
]

# The path of a command crosses many small functions of several packages: inlining across them saves a
# quarter of its instructions (docs/benchmarks.md). Objects carry ordinary code as well, so that only
# the servers, not every tool and test, pay for link-time optimisation.
LTO_COPTS = select({
    "//tools/build:optimised": [
        "-flto",
        "-ffat-lto-objects",
        "-fno-semantic-interposition",
        "-fomit-frame-pointer",
    ],
    "//conditions:default": [],
})
LTO_LINKOPTS = select({
    "//tools/build:optimised": [
        "-flto=auto",
        "-O2",
    ],
    "//conditions:default": [],
})

# Others take the ordinary code.
PLAIN_LINKOPTS = select({
    "//tools/build:optimised": ["-fno-lto"],
    "//conditions:default": [],
})

# The code under test is what is to be fast, and what the sanitizers are to look at. Without optimisation, and
# without the coverage that only fuzzing asks for, the tests' own files take two thirds of the time to compile.
TEST_COPTS = select({
    "//third_party:sanitized": [
        "-O0",
        "-fno-sanitize=fuzzer-no-link",
    ],
    "//tools/build:optimised": ["-O0"],
    "//conditions:default": [],
})

# Headers that are parsed once for all files (precompiled.bzl). Not with --config=dbg, which shows what a file
# forgot to include.
def _precompiled(name):
    copts = {"//conditions:default": []}
    deps = {"//conditions:default": []}
    for build in ["//third_party:sanitized", "//tools/build:optimised"]:
        copts[build] = ["-include", "$(GENDIR)/tools/build/%s.h" % name]
        deps[build] = ["//tools/build:" + name]
    return struct(copts = select(copts), deps = select(deps))

COMMON = _precompiled("common_headers")
COMMON_TEST = _precompiled("common_test_headers")

# Benchmarks are linked as the servers are where somebody looks at their numbers, not where they only have to build.
BENCHMARK_LINKOPTS = select({
    "//tools/build:benchmarked": [
        "-flto=auto",
        "-O2",
    ],
    "//conditions:default": ["-fno-lto"],
})

def cc_library(name, copts = [], deps = [], **kwargs):
    native.cc_library(
        name = name,
        copts = COPTS + LTO_COPTS + COMMON.copts + copts,
        linkstatic = True,  # Alone: a shared library for each would be linked for nothing.
        deps = deps + COMMON.deps,
        **kwargs
    )

def cc_binary(name, copts = [], linkopts = [], deps = [], server = False, measured = False, **kwargs):
    """A program.

    `server`: optimised as a whole, which takes the linker a minute. `measured`: so with --config=bench.
    """
    own_linkopts = LTO_LINKOPTS if server else BENCHMARK_LINKOPTS if measured else PLAIN_LINKOPTS
    native.cc_binary(
        name = name,
        copts = COPTS + (LTO_COPTS if server else []) + COMMON.copts + copts,
        deps = deps + COMMON.deps,
        linkopts = own_linkopts + linkopts,
        **kwargs
    )

def cc_test(name, copts = [], deps = [], tags = [], size = "small", **kwargs):
    """A GoogleTest test. Tag it "threads" where it crosses threads: thread sanitizer then runs it."""
    native.cc_test(
        name = name,
        copts = COPTS + COMMON_TEST.copts + TEST_COPTS + copts,
        linkopts = PLAIN_LINKOPTS,
        deps = deps + ["//third_party:googletest", "//tools/build:test_main"] + COMMON_TEST.deps,
        tags = tags,
        size = size,
        **kwargs
    )

def cc_benchmark(name, copts = [], deps = [], **kwargs):
    """A Google Benchmark program; run it by hand with `bazel run --config=bench`: optimised as the servers are."""
    native.cc_binary(
        name = name,
        copts = COPTS + copts,
        deps = deps + ["//third_party:benchmark"],
        linkopts = ["-lbenchmark_main"] + BENCHMARK_LINKOPTS,
        testonly = True,
        **kwargs
    )

def cc_fuzz(name, srcs, corpus, deps = [], **kwargs):
    """A fuzz target: `LLVMFuzzerTestOneInput` in srcs, its corpus a list of files.

    With --config=fuzz, `name` is a libFuzzer program. Otherwise it is a test that feeds the target its
    corpus, and a fixed number of mutations of each file, seeded so that every run is the same.
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        copts = COPTS,
        linkopts = select({
            "//tools/build:fuzz": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }) + PLAIN_LINKOPTS,
        deps = deps + select({
            "//tools/build:fuzz": [],
            "//conditions:default": ["//tools/build:fuzz_replay"],
        }),
        data = corpus,
        args = ["$(locations %s)" % label for label in corpus] if corpus else [],
        tags = ["fuzz"],
        size = "small",
        **kwargs
    )
