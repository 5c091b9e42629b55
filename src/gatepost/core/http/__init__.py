"""The only part of core that knows FastAPI: dependencies, problem documents, middleware, pages."""

__all__: list[str] = []
