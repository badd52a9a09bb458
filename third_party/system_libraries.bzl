"""The distribution's libraries as Bazel targets, with the flags that pkg-config gives for them.

Headers live in the compiler's own search path, so a target carries only flags. Asking pkg-config
(rather than listing libraries by hand) lets one WORKSPACE serve releases that split them differently.
"""

def _pkg_config(repository_ctx, packages, question):
    result = repository_ctx.execute(["pkg-config", question] + packages)
    if result.return_code != 0:
        fail("pkg-config %s %s failed (is the -dev package installed? tools/install lists them): %s" %
             (question, " ".join(packages), result.stderr))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _system_libraries_impl(repository_ctx):
    build = ["package(default_visibility = [\"//visibility:public\"])"]
    for name, packages in repository_ctx.attr.libraries.items():
        cflags = _pkg_config(repository_ctx, packages, "--cflags")
        # A directory below the search path needs no flag: we include by the longer name.
        outside = [flag for flag in cflags if flag.startswith("-I") and not flag.startswith("-I/usr/include")]
        if outside:
            fail("%s needs %s, which is outside the compiler's search path" % (name, outside))
        build.append("cc_library(name = %r, linkopts = %r, defines = %r)" % (
            name,
            _pkg_config(repository_ctx, packages, "--libs"),
            [flag[2:] for flag in cflags if flag.startswith("-D")],
        ))
    repository_ctx.file("BUILD", "\n".join(build) + "\n")

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    attrs = {"libraries": attr.string_list_dict(mandatory = True)},
    local = True,
)
