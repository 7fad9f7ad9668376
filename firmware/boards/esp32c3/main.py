"""What /main.py of an ESP32-C3 imports: `import boards.esp32c3.main`. Not run on hardware yet."""

from boards.esp32.start import start
from boards.esp32c3 import pins

start(pins)
