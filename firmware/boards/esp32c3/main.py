"""What /main.py of an ESP32-C3 imports: `import boards.esp32c3.main`. Not run on hardware yet."""

from boards.esp32.board import run
from boards.esp32c3 import pins

run(pins)
