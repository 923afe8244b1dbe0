"""The command line interface: ``python -m signalr_client``, or ``signalr``. Room: tools."""
