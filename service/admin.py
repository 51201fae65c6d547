"""POST /admin/reload: reads the settings again and reloads models, names and keys."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.auth import Keys
from rerank.service.errors import HttpError
from rerank.service.reloading import Reloader
from rerank.service.response_models import ReloadResponse


def routes(reloader: Reloader, keys: Keys) -> ApiBlueprint:
    """Returns the route that reloads the service."""
    blueprint = ApiBlueprint("admin")

    @blueprint.operation(
        Operation(
            "POST",
            "/admin/reload",
            "Reload models, model names and API keys",
            response=ReloadResponse,
            errors=(403, 503),
        )
    )
    def reload() -> Response:
        if not keys.required:
            raise HttpError(
                403,
                "POST /admin/reload requires an API key, but api_keys is empty. Set api_keys, or send SIGHUP",
            )
        report = reloader.reload()
        reloader.on_reloaded()
        return jsonify({"reloaded": list(report.reloaded), "restart_required": list(report.restart_required)})

    return blueprint
