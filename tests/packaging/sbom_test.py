"""The bill of materials names what is known to be in some programs: sbom_test.py SOURCE_DIR BUILD_DIR."""

import json
import subprocess
import sys
import unittest

SOURCE, BUILD = sys.argv[1:3]


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run = subprocess.run([f"{SOURCE}/scripts/sbom", BUILD], check=True, capture_output=True, text=True)
        cls.document = json.loads(run.stdout)

    def related(self, program, kind):
        """Names of packages, without architecture."""
        names = {entry["SPDXID"]: entry["name"].split(":")[0] for entry in self.document["packages"]}
        found = set()
        for relation in self.document["relationships"]:
            pair = [names.get(relation["spdxElementId"]), names.get(relation["relatedSpdxElement"])]
            if relation["relationshipType"] == kind and program in pair:
                found |= set(pair) - {program}
        return found

    def test_has_what_is_linked(self):
        self.assertTrue({"libisal-dev", "libisal2"} & self.related("bulkhead-worker-inflate", "DEPENDS_ON"))
        self.assertTrue({"libsqlite3-dev", "libsqlite3-0"} & self.related("bulkhead-broker", "DEPENDS_ON"))
        self.assertIn("libc6-dev", self.related("bulkhead-worker-monitor", "DEPENDS_ON"))

    def test_has_what_is_only_headers(self):
        self.assertIn("nlohmann-json3-dev", self.related("bulkhead-worker-manifest", "BUILD_DEPENDENCY_OF"))

    def test_broker_and_spawner_parse_nothing(self):
        for program in ("bulkhead-broker", "bulkhead-spawner"):
            parts = self.related(program, "DEPENDS_ON") | self.related(program, "BUILD_DEPENDENCY_OF")
            for part in parts:
                for parser in ("grpc", "protobuf", "nlohmann", "archive", "curl", "toml", "yaml", "boost"):
                    self.assertNotIn(parser, part)

    def test_each_element_is_described(self):
        ids = {entry["SPDXID"] for entry in self.document["packages"]} | {"SPDXRef-DOCUMENT"}
        self.assertEqual(len(ids), len(self.document["packages"]) + 1)
        for relation in self.document["relationships"]:
            self.assertIn(relation["spdxElementId"], ids)
            self.assertIn(relation["relatedSpdxElement"], ids)
        for entry in self.document["packages"]:
            self.assertTrue(entry.get("versionInfo"), entry["name"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
