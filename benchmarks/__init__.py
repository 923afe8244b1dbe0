"""How much CPU time a call costs, beside the least that a client could spend. Run with scripts/bench."""
