"""What the author of a hub sees: hubs, their context, clients, groups and filters; and a hub class as it is read once."""
