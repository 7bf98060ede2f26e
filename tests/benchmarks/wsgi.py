"""The service as a plain WSGI application, for servers that are told `module:app`."""

from __future__ import annotations

import os

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.settings import load_settings
from cds.web.app import create_app, keeper_of, store_of
from tests.benchmarks.charts import DAY

_settings = load_settings(os.environ)
app = create_app(_settings, load_content([bundled_content()]), lambda: DAY)
store_of(app).open()
keeper_of(app).open()
