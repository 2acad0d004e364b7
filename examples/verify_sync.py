"""Verify a phone number, blocking. The console provider shows the code here; see README.md for a real one."""

from tempfile import TemporaryDirectory

from otpcore import Approved, Refused, Sent, Wait, Wrong, open_engine


def main() -> None:
    with TemporaryDirectory() as folder, open_engine(store_settings={"path": f"{folder}/codes.otpdb"}) as engine:
        match engine.start("+12025550123", purpose="login"):
            case Sent(session=session, next=following):
                print("sent; a resend is possible at", following.resend_at)
            case Wait(until=until):
                raise SystemExit(f"not yet: possible at {until}")
            case other:
                raise SystemExit(f"no: {other}")
        while True:
            match engine.check(session.token or "", input("code? ")):
                case Approved():
                    print("approved")
                    return
                case Wrong(next=following):
                    print("wrong;", following.checks_left, "checks left")
                case Refused(detail=detail):
                    print(detail)
                case ended:
                    raise SystemExit(f"over: {ended}")


if __name__ == "__main__":
    main()
