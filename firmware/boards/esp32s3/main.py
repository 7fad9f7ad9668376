"""What /main.py of an ESP32-S3 imports: `import boards.esp32s3.main`. Not run on hardware yet."""

from boards.esp32.chip import watchdog

watchdog()  # before what an interrupt, or a file that is missing, could end

from boards.esp32.start import start  # noqa: E402
from boards.esp32s3 import pins  # noqa: E402

start(pins)
