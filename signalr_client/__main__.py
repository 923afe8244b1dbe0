"""``python -m signalr_client``."""

from signalr_client.cli.main import main

main()
