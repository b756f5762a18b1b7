"""`python -m chatkit_server` is `chatkit-server`."""

import sys

from .cli.main import main

sys.exit(main())
