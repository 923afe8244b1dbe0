"""The command line: ``python -m signalr_client``, or ``signalr``. Room: tools."""
