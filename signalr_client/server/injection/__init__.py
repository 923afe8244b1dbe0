"""Services by type and key, their scopes, and the one activator that makes hubs, filters and services."""
