"""What /main.py of an ESP32-S3 imports: `import boards.esp32s3.main`. Not run on hardware yet."""

from wattpact_meter.load_order import load

load()

from boards.esp32.board import run  # noqa: E402
from boards.esp32s3 import pins  # noqa: E402

run(pins)
