"""An ESP32 with a current transformer or a P1 port, and a bistable relay. Not run on hardware yet."""
