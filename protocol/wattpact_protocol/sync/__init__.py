"""How entries travel between meters and hosts; neither role is assumed."""
