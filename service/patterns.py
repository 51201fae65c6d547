"""Regular expressions for text of clients.

This is the only module of the service that imports `re`: a pattern with adjacent or nested repetition of the same
characters takes quadratic time or more. A test runs each pattern on long texts that almost match.
"""

from __future__ import annotations

import re

SEARCH_PATH = re.compile(r"^(?:/([^/]+))?/_search/?$")
MULTI_SEARCH_PATH = re.compile(r"^(?:/([^/]+))?/_msearch/?$")
TEMPLATE_PATH = re.compile(r"^(?:/([^/]+))?/_search/template/?$")
MULTI_TEMPLATE_PATH = re.compile(r"^(?:/([^/]+))?/_msearch/template/?$")
ASYNC_SEARCH_PATH = re.compile(r"^(?:/[^/]+)?/(?:_async_search|_plugins/_asynchronous_search)/?$")
ELASTICSEARCH_TYPE = re.compile(r"application/vnd\.elasticsearch\+json; ?compatible-with=\d{1,3}")
DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
