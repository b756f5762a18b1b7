"""`python -m chatkit_server` is `chatkit-server`."""

import sys

from .cli import main

sys.exit(main())
