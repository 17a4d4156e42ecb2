"""`python -m farcast` is the program `farcast`."""

import os
import subprocess
import sys

from ._program import find_bin

if __name__ == "__main__":
    command = [find_bin(), *sys.argv[1:]]
    if sys.platform == "win32":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
