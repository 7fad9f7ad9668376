"""What /main.py of an ESP32-S3 imports: `import boards.esp32s3.main`. Not run on hardware yet."""

from boards.esp32.start import start
from boards.esp32s3 import pins

start(pins)
