"""`python -m tuneboard`: the dashboard's executable of this environment."""

import os
import pathlib
import shutil
import sys
import sysconfig


def main() -> None:
    beside = pathlib.Path(sysconfig.get_path("scripts")) / "tuneboard"
    program = str(beside) if beside.is_file() else shutil.which("tuneboard")
    if program is None:
        sys.exit(f"The executable {beside} is not there. `pip install --force-reinstall tuneboard` brings it back.")
    os.execv(program, ["tuneboard", *sys.argv[1:]])


if __name__ == "__main__":
    main()
