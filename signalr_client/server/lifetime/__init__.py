"""Who is connected, in which groups and under which users; sending to them; and the results that clients are asked for."""
