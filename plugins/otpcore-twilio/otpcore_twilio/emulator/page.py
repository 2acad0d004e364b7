HTML = "<!doctype html><title>inbox</title>"
HEADERS: dict[str, str] = {}
