#!/usr/bin/env python3
"""Rules of this repository that no compiler checks. Prints what breaks one and exits with 1.

  lint.py [--root DIR] [RULE...]

  folders   who may include whom: no process's folder includes another's; base knows nothing of ours
  links     the broker and the spawner link neither gRPC nor JSON, found in what CMake says of their targets
  errors    no throw and no catch outside of ipc/
  sizes     no file is too long to be read
  profiles  each kind of process has its table, its folder, its schema, and a SECURITY comment
  threats   each test that a document names is there, and each attack class has one or a reason
  format    clang-format agrees (skipped where there is none)
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

SOURCES = {".cc", ".h"}
OURS = {"audit", "auditor", "base", "broker", "frontend", "ipc", "schema", "security", "spawner", "streaming", "tests",
        "tools", "validate", "worker"}
# Which of our folders a folder may include, besides itself. Tests may include what they test.
MAY_INCLUDE = {
    "base": set(),
    "audit": {"base"},
    "auditor": {"audit", "base", "ipc", "security"},
    "ipc": {"base", "schema"},
    "validate": {"base", "schema", "security"},
    "security": {"base", "ipc", "schema"},
    "spawner": {"base", "ipc", "schema", "security"},
    "broker": {"base", "ipc", "schema", "security", "validate"},
    "frontend": {"base", "ipc", "schema", "security", "validate"},
    "streaming": {"base", "ipc", "schema", "security"},
    "worker": {"base", "ipc", "schema", "security", "validate"},
    "tools": {"audit", "base", "ipc", "schema", "security", "validate"},
    "schema": {"schema"},
    "tests": OURS,
}
# Inside worker/: what every kind may use, and the kinds that become or join one another.
WORKER_SHARED = {"common", "container", "layer", "parse"}
WORKER_PAIRS = {("launch", "monitor"), ("userinit", "init")}
NO_PARSERS = {"broker", "spawner"}
PARSER_HEADERS = re.compile(r"^(grpc|grpcpp|google/protobuf|nlohmann|toml\+\+|archive|curl|boost)\b")
PARSER_LIBRARIES = re.compile(r"grpc|protobuf|nlohmann|cri_proto|curl|LibArchive|toml", re.I)
MOST_LINES = 300
MOST_LINES_OF_TEST = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)


def is_test(path):
    by_name = path.stem.endswith("_test") or path.name.startswith("test_")
    return by_name or "tests" in path.parts or "testing" in path.parts


def without_comments(text):
    """Comments and strings made empty, lines kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda match: "\n" * match.group().count("\n"), text)


class Linter:
    def __init__(self, root):
        self.root = root
        self.found = []

    def complain(self, path, line, what):
        self.found.append(f"{path}:{line}: {what}")

    def sources(self):
        for folder in sorted(OURS):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in SOURCES and path.is_file():
                    yield path.relative_to(self.root), path.read_text()

    def includes(self, text):
        for match in INCLUDE.finditer(text):
            yield text.count("\n", 0, match.start(1)) + 1, match.group(1)

    def folders(self):
        for path, text in self.sources():
            folder = path.parts[0]
            if folder == "tests":
                continue
            for line, name in self.includes(text):
                self.check_include(path, folder, line, name)

    def check_include(self, path, folder, line, name):
        other = name.split("/")[0]
        if folder in NO_PARSERS and PARSER_HEADERS.match(name):
            self.complain(path, line, f"{folder}/ parses no outsiders' format: {name}")
        if other not in OURS or "/" not in name:
            return
        allowed = MAY_INCLUDE[folder] | {folder} | ({"tests"} if is_test(path) else set())
        if other not in allowed:
            self.complain(path, line, f"{folder}/ must not include {other}/: {name}")
        if folder == other == "worker" and not is_test(path):
            mine, theirs = path.parts[1], name.split("/")[1]
            if theirs not in WORKER_SHARED | {mine} and (mine, theirs) not in WORKER_PAIRS:
                self.complain(path, line, f"worker/{mine} must not include worker/{theirs}")

    def links(self):
        """Follows the DEPS of our CMake files from the two programs."""
        deps = {}
        for path in self.root.rglob("CMakeLists.txt"):
            if path.relative_to(self.root).parts[0] not in OURS:
                continue
            text = re.sub(r"#[^\n]*", "", path.read_text())
            for name, body in re.findall(r"bulkhead_(?:library|program)\(\s*(\S+)([^()]*)\)", text):
                deps[name] = re.split(r"\bDEPS\b", body)[-1].split() if "DEPS" in body else []
            for name, body in re.findall(r"target_link_libraries\(\s*(\S+)([^()]*)\)", text):
                words = [w for w in body.split() if w not in ("PUBLIC", "PRIVATE", "INTERFACE")]
                deps.setdefault(name, []).extend(words)
        for program in ("bulkhead-broker", "bulkhead-spawner"):
            if program not in deps:
                self.complain("CMakeLists.txt", 1, f"no program {program}")
            seen, todo = set(), [program]
            while todo:
                name = todo.pop()
                if name in seen:
                    continue
                seen.add(name)
                if PARSER_LIBRARIES.search(name):
                    self.complain("CMakeLists.txt", 1, f"{program} links {name}")
                todo += deps.get(name, [])

    def errors(self):
        for path, text in self.sources():
            if path.parts[0] == "ipc":
                continue
            for number, line in enumerate(without_comments(text).split("\n"), 1):
                if re.search(r"\bthrow\b|\bcatch\s*\(", line):
                    self.complain(path, number, "throw and catch belong to ipc/ alone")

    def sizes(self):
        for path, text in self.sources():
            most = MOST_LINES_OF_TEST if is_test(path) else MOST_LINES
            count = text.count("\n")
            if count > most:
                self.complain(path, count, f"{count} lines, more than {most}")

    def profiles(self):
        header = (self.root / "security/profile.h").read_text()
        body = re.search(r"enum class Kind[^{]*{(.*?)}", header, re.S).group(1)
        kinds = [kind.lower() for kind in re.findall(r"\bk([A-Z]\w*)\s*=", body)]
        if len(kinds) < 10:
            self.complain("security/profile.h", 1, "no kinds found")
        for kind in kinds:
            daemon = kind in ("frontend", "broker", "spawner", "auditor", "streaming")
            self.must_exist(f"security/profiles/{kind}.cc", f"table of {kind}")
            main = f"{kind}/main.cc" if daemon else f"worker/{kind}/main.cc"
            if self.must_exist(main, f"main of {kind}"):
                head = (self.root / main).read_text()[:200]
                if "SECURITY" not in head:
                    self.complain(main, 1, "does not open with a SECURITY comment")
            # The monitor's job comes from launch; lxc does launch's jobs; init has none; daemons have schemas of their own.
            if not daemon and kind not in ("monitor", "lxc", "init"):
                self.must_exist(f"schema/worker/{kind}.capnp", f"schema of {kind}")

    def must_exist(self, path, what):
        if (self.root / path).is_file():
            return True
        self.complain(path, 1, f"missing: {what}")
        return False

    def threats(self):
        if not self.must_exist("docs/threat-model.md", "the threat model"):
            return
        tests = set()
        for path, text in self.sources():
            if path.stem.endswith("_test"):
                tests |= {f"{suite}.{name}" for suite, name in re.findall(r"\bTEST(?:_F|_P)?\((\w+),\s*(\w+)\)", text)}
        for page in sorted((self.root / "docs").glob("*.md")):
            for number, line in enumerate(page.read_text().splitlines(), 1):
                for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", line):
                    if name not in tests:
                        self.complain(page.relative_to(self.root), number, f"there is no test {name}")
        for number, line in enumerate((self.root / "docs/threat-model.md").read_text().splitlines(), 1):
            row = re.match(r"\| (V\d+) \|(?:[^|]*\|){2} *(.*?) *\|$", line)
            if row and not row.group(2):
                self.complain("docs/threat-model.md", number, f"{row.group(1)}: neither a test nor a reason")

    def format(self):
        program = shutil.which("clang-format-14")
        if program is None:
            print("clang-format-14 is not installed: not checked")
            return
        paths = [path for path, _ in self.sources() if path.suffix in SOURCES]
        result = subprocess.run([program, "--dry-run", *map(str, paths)], cwd=self.root,
                                capture_output=True, text=True, check=False)
        for path, line in re.findall(r"^(\S+?):(\d+):\d+: warning", result.stderr, re.M):
            self.complain(path, line, "not as clang-format-14 writes it")


RULES = ["folders", "links", "errors", "sizes", "profiles", "threats", "format"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent.parent)
    parser.add_argument("rules", nargs="*", help="default: all")
    options = parser.parse_args()
    linter = Linter(options.root)
    for rule in options.rules or RULES:
        if rule not in RULES:
            parser.error(f"no rule {rule}")
        getattr(linter, rule)()
    for complaint in linter.found:
        print(complaint)
    return 1 if linter.found else 0


if __name__ == "__main__":
    sys.exit(main())
