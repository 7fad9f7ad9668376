"""What /main.py of an ESP32 imports: `import boards.esp32.main`. Not run on hardware yet."""

from boards.esp32 import pins
from boards.esp32.start import start

start(pins)
