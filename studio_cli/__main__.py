"""``python -m studio_cli``: the same as ``studio``."""

import sys

from studio_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
