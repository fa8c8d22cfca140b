"""What the package says of the programs, compared with the programs: packaging_test.py BULKHEAD SOURCE_DIR."""

import re
import subprocess
import sys
import unittest

BULKHEAD, SOURCE = sys.argv[1:3]


def read(path):
    with open(f"{SOURCE}/{path}", encoding="utf-8") as file:
        return file.read()


def help_of(*words):
    return subprocess.run([BULKHEAD, *words, "--help"], check=True, capture_output=True, text=True).stdout


COMMANDS = re.findall(r"^  ([a-z]+) ", help_of(), re.M)


class ManPage(unittest.TestCase):
    page = read("packaging/bulkhead.1")

    def test_has_each_command(self):
        in_page = set(re.findall(r"^\.It Cm ([a-z]+)", self.page, re.M))
        self.assertEqual(in_page, set(COMMANDS))

    def test_has_each_option(self):
        in_help = {"help"}
        for command in COMMANDS:
            in_help |= set(re.findall(r"^  --([a-z-]+)", help_of(command), re.M))
        in_page = set(re.findall(r"Fl -([a-z-]+)", self.page))
        self.assertEqual(in_page, in_help)

    def test_is_well_formed(self):
        run = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-P", "cat", f"{SOURCE}/packaging/bulkhead.1"],
                             check=True, capture_output=True, text=True)
        self.assertEqual(run.stderr, "")


class Completion(unittest.TestCase):
    def complete(self, *words):
        script = f"""
            source {SOURCE}/packaging/completion.bash
            bulkhead() {{ {BULKHEAD} "$@"; }}
            COMP_WORDS=(bulkhead {' '.join(f"'{word}'" for word in words)}) COMP_CWORD={len(words)}
            _bulkhead bulkhead '{words[-1]}' '{words[-2] if len(words) > 1 else "bulkhead"}'
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        return set(subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout.split())

    def test_offers_commands(self):
        self.assertEqual(self.complete(""), set(COMMANDS) | {"--help", "--version"})
        self.assertEqual(self.complete("sta"), {"status"})

    def test_offers_what_a_command_takes(self):
        self.assertEqual(self.complete("image", "p"), {"pull", "prune"})
        self.assertEqual(self.complete("network", ""), {"show", "check", "gc"})
        self.assertEqual(self.complete("up", "--"), {"--config", "--stop-containers", "--help"})


class Users(unittest.TestCase):
    def test_are_those_that_the_processes_run_as(self):
        compiled = set(re.findall(r"uid_t k\w+Uid = (\d+)", read("security/profile.h")))
        reserved = re.findall(r"^u bulkhead-\w+ +(\d+) ", read("packaging/sysusers.conf"), re.M)
        self.assertEqual(len(reserved), len(set(reserved)))
        self.assertEqual(set(reserved), compiled)


class Units(unittest.TestCase):
    def test_let_containers_live_and_gain_what_they_ask_for(self):
        """What a container would inherit, or what would end it with the daemons, must not come back."""
        lines = [line for line in read("packaging/bulkhead.service").splitlines() if not line.startswith("#")]
        self.assertIn("KillMode=process", lines)
        self.assertIn("Delegate=yes", lines)
        inherited = re.compile("(NoNewPrivileges|Protect|Private|Restrict|SystemCall|CapabilityBoundingSet|RootDirectory|"
                               "ReadOnly|Inaccessible|MemoryDenyWriteExecute|LockPersonality|NetworkNamespacePath)")
        self.assertEqual([line for line in lines if inherited.match(line)], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
