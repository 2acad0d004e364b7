"""Sign in by a code, as an application of old has it: of all its lines, the import of `OTP_Model` alone is another one.

POST /otp sends a code to `phone_number`, for `user_id`; POST /otp/confirm takes it, as `code`. Number and code are in
bodies, never in an address, and so in no log of a server. How it is run: README.md beside this file.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, cast

from flask import Flask, Response, json, request
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException

from otpcore.legacy import OTP_Model, legacy_settings

app = Flask(__name__)
app.config.from_prefixed_env()
if not app.config["SECRET_KEY"]:
    raise SystemExit("Set FLASK_SECRET_KEY, the same for every process: it names the numbers in the records.")
enable_otp_counter = legacy_settings().enable_otp


@app.post("/otp")
def send() -> tuple[dict[str, Any], int]:
    phone_number, user_id = given("phone_number", "user_id")
    otp = OTP_Model(phone_number=phone_number)
    otp_counter = otp.check_count(hash_of(phone_number), user_id) if enable_otp_counter else None
    otp_res = otp.verification()
    expires = None
    if otp_res.status == "pending" and otp_counter is not None:
        expires = int(round(otp.add_count(otp_counter))) * 1000  # noqa: RUF046  # as callers of the old class wrote it
    return {"expires": expires}, 201


@app.post("/otp/confirm")
def confirm() -> dict[str, Any]:
    phone_number, user_id, code = given("phone_number", "user_id", "code")
    otp = OTP_Model(phone_number=phone_number)
    otp_res = otp.verification_check(code)
    if otp_res.status != "approved":
        raise Forbidden("The code is wrong.")
    if enable_otp_counter:
        otp.delete_count(otp.check_count(hash_of(phone_number), user_id).id)
    return {"status": otp_res.status}


@app.errorhandler(HTTPException)
def refused(error: HTTPException) -> Response:
    response = cast("Response", error.get_response())  # with its headers, of which Retry-After is one
    told = {} if response.status_code >= 500 else {"description": error.description}  # noqa: PLR2004  # HTTP
    response.data = json.dumps({"error": error.name, **told})
    response.content_type = "application/json"
    return response


def given(*names: str) -> list[str]:
    body: Any = request.get_json()
    known = isinstance(body, dict) and body.keys() == set(names)  # pyright: ignore[reportUnknownMemberType]  # any JSON
    texts: list[Any] = [body[name] for name in names] if known else [""]
    if not all(isinstance(text, str) and text for text in texts):
        raise BadRequest(f"Give a JSON object with {', '.join(names)}: texts, and nothing besides.")
    return texts


def hash_of(phone_number: str) -> str:
    """The number's name in the records: keyed, for all numbers are soon hashed; and the same however it is spaced."""
    plain = re.sub(r"[\s().-]", "", phone_number)
    key = cast("str", app.config["SECRET_KEY"])
    return hmac.digest(key.encode(), plain.encode(), "sha256").hex()
