"""Adds to the wheel what is not a Python package of the host: the firmware it runs and flashes, and the built page."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CHECKOUT = Path(__file__).parent
# Folder of the checkout -> folder of the wheel.
CONTENTS = {"firmware": "wattpact/firmware", "host/web/dist": "wattpact/web_dist"}


class BuildWithContents(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in CONTENTS.items():
            if not (CHECKOUT / source).is_dir():
                raise SystemExit(f"{source} is missing: run `make web` before building the wheel")
            shutil.copytree(
                CHECKOUT / source,
                Path(self.build_lib) / target,
                ignore=shutil.ignore_patterns("__pycache__", "*.mpy"),
                dirs_exist_ok=True,
            )


setup(cmdclass={"build_py": BuildWithContents})
