"""The settings of gunicorn.conf.py without Perch's hooks, for baselines and peers."""

import runpy
from pathlib import Path

_settings = runpy.run_path(str(Path(__file__).resolve().parents[2] / "gunicorn.conf.py"))
globals().update({name: value for name, value in _settings.items() if isinstance(value, (str, int, float, bool))})
