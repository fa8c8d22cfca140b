#!/usr/bin/env python3
"""Each rule of lint.py finds what it is there to find, and nothing in what is right."""
import pathlib
import tempfile
import unittest

import lint


class LintTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)

    def tearDown(self):
        self.directory.cleanup()

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_rule(self, rule):
        linter = lint.Linter(self.root)
        getattr(linter, rule)()
        return linter.found

    def assert_found(self, rule, part):
        found = self.run_rule(rule)
        self.assertTrue(any(part in line for line in found), f"{part} not in {found}")

    def test_folders(self):
        self.write("broker/a.cc", '#include <vector>\n#include "base/fs.h"\n#include "broker/b.h"\n')
        self.write("worker/mount/a.cc", '#include "worker/common/worker.h"\n')
        self.write("broker/a_test.cc", '#include "tests/support/x.h"\n')
        self.assertEqual(self.run_rule("folders"), [])
        for path, include, part in [
                ("broker/x.cc", '"frontend/node.h"', "broker/x.cc:1: broker/ must not include frontend/"),
                ("frontend/x.cc", '"broker/broker.h"', "frontend/x.cc:1"),
                ("base/x.h", '"ipc/message.h"', "base/x.h:1"),
                ("worker/mount/x.cc", '"worker/unpack/y.h"', "worker/mount must not include"),
                ("spawner/x.cc", "<nlohmann/json.hpp>", "spawner/x.cc:1"),
                ("broker/y.cc", "<grpcpp/grpcpp.h>", "broker/y.cc:1")]:
            self.write(path, f"#include {include}\n")
            self.assert_found("folders", part)

    def test_links(self):
        self.write("broker/CMakeLists.txt", "bulkhead_program(bulkhead-broker SOURCES a.cc DEPS core)\n"
                   "bulkhead_library(core SOURCES b.cc DEPS base)\n")
        self.write("spawner/CMakeLists.txt", "bulkhead_program(bulkhead-spawner SOURCES a.cc DEPS base)\n")
        self.assertEqual(self.run_rule("links"), [])
        self.write("base/CMakeLists.txt", "bulkhead_library(base SOURCES a.cc DEPS PkgConfig::GRPCPP)\n")
        self.assert_found("links", "bulkhead-broker links PkgConfig::GRPCPP")
        self.assert_found("links", "bulkhead-spawner links PkgConfig::GRPCPP")

    def test_errors(self):
        self.write("ipc/a.cc", "try {} catch (int) {}\n")
        self.write("base/a.cc", '// they throw\n/* catch (x)\n */ const char* a = "throw";\nint throwing;\n')
        self.assertEqual(self.run_rule("errors"), [])
        self.write("base/b.cc", "int f() {\n  throw 1;\n}\n")
        self.assert_found("errors", "base/b.cc:2")
        self.write("worker/x/b.cc", "try {} catch (int) {}\n")
        self.assert_found("errors", "worker/x/b.cc:1")

    def test_sizes(self):
        self.write("base/a.cc", "\n" * lint.MOST_LINES)
        self.assertEqual(self.run_rule("sizes"), [])
        self.write("base/b.cc", "\n" * (lint.MOST_LINES + 1))
        self.assert_found("sizes", "base/b.cc")

    def test_profiles(self):
        kinds = ["Fetch", "Mount", "User", "Import", "Inflate", "Unpack", "Cni", "Launch", "Signal", "Remove"]
        body = "".join(f"  k{kind} = {i},\n" for i, kind in enumerate(kinds))
        self.write("security/profile.h", "enum class Kind : uint32_t {\n" + body + "};\n")
        for kind in map(str.lower, kinds):
            self.write(f"security/profiles/{kind}.cc", "")
            self.write(f"worker/{kind}/main.cc", "// SECURITY: holds nothing.\n")
            self.write(f"schema/worker/{kind}.capnp", "")
        self.assertEqual(self.run_rule("profiles"), [])
        self.write("worker/mount/main.cc", "int main() {}\n")
        self.assert_found("profiles", "worker/mount/main.cc:1: does not open")
        (self.root / "security/profiles/user.cc").unlink()
        self.assert_found("profiles", "security/profiles/user.cc:1: missing")

    def test_threats(self):
        self.write("base/a_test.cc", "TEST_F(Suite, Name) {}\nTEST_P(V1, OfManyLines) {}\n")
        self.write("docs/threat-model.md", "| V1 | what | S | `Suite.Name`, `V1.OfManyLines` |\n| V2 | x | T | a reason |\n")
        self.assertEqual(self.run_rule("threats"), [])
        self.write("docs/threat-model.md", "| V1 | what | S | `Suite.Gone` |\n| V2 | x | T |  |\n")
        self.assert_found("threats", "docs/threat-model.md:1: there is no test Suite.Gone")
        self.assert_found("threats", "V2: neither a test nor a reason")

    def test_format(self):
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.write("base/a.cc", "int a = 1;\n")
        self.assertEqual(self.run_rule("format"), [])
        if lint.shutil.which("clang-format-14"):
            self.write("base/b.cc", "int  a=1 ;\n")
            self.assert_found("format", "base/b.cc:1")


if __name__ == "__main__":
    unittest.main()
