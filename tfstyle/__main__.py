"""`python -m tfstyle ...` is the same as `tfstyle ...`."""

import sys

from tfstyle.cli import main

if __name__ == "__main__":
    sys.exit(main())
