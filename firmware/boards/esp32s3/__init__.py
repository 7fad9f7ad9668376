"""An ESP32-S3 with PSRAM, a current transformer or a P1 port, and a bistable relay. Not run on hardware yet."""
