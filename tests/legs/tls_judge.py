"""Judges listeners with sslyze: nothing that an auditor would call medium or worse.

    tls_judge.py CA TARGET...     NAME=HOST:PORT[,CERTIFICATE,KEY]; with a pair: mutual TLS
    tls_judge.py --planted        shows that it fails: wrong servers, and results that are forged

CA signs their certificates. Prints a line for each finding, then one of JSON; exits 1 if one fails.
"""

import collections
import dataclasses
import datetime
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")  # Of certificates in sslyze's own trust stores.

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from sslyze import (  # noqa: E402
    CertificateInfoExtraArgument, ClientAuthRequirementEnum, RobotScanResultEnum, ScanCommand,
    ScanCommandAttemptStatusEnum, ScanCommandsExtraArguments, Scanner, ServerNetworkConfiguration,
    ServerNetworkLocation, ServerScanRequest, TlsVersionEnum)
from sslyze.plugins.elliptic_curves_plugin import EllipticCurve  # noqa: E402
from sslyze.errors import ConnectionToServerFailed  # noqa: E402
from sslyze.server_connectivity import (  # noqa: E402
    ServerConnectivityInfo, check_connectivity_to_server)
from sslyze.server_setting import ClientAuthenticationCredentials  # noqa: E402

OLD = [("SSL 2.0", ScanCommand.SSL_2_0_CIPHER_SUITES),
       ("SSL 3.0", ScanCommand.SSL_3_0_CIPHER_SUITES),
       ("TLS 1.0", ScanCommand.TLS_1_0_CIPHER_SUITES),
       ("TLS 1.1", ScanCommand.TLS_1_1_CIPHER_SUITES),
       ("TLS 1.2", ScanCommand.TLS_1_2_CIPHER_SUITES)]
SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
GROUPS = {"X25519", "X448", "secp256r1", "secp384r1", "secp521r1"}
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
RSA_BITS_MIN = 2048
HASHES = {"sha256", "sha384", "sha512"}
# testssl.sh: more is medium, ten years are high.
LIFE_DAYS_MAX = 825
ROBOT_GOOD = {RobotScanResultEnum.NOT_VULNERABLE_NO_ORACLE,
              RobotScanResultEnum.NOT_VULNERABLE_RSA_NOT_SUPPORTED}
COMMANDS = [command for _, command in OLD] + [
    ScanCommand.TLS_1_3_CIPHER_SUITES, ScanCommand.TLS_COMPRESSION, ScanCommand.TLS_1_3_EARLY_DATA,
    ScanCommand.SESSION_RENEGOTIATION, ScanCommand.HEARTBLEED, ScanCommand.OPENSSL_CCS_INJECTION,
    ScanCommand.ROBOT, ScanCommand.TLS_FALLBACK_SCSV, ScanCommand.TLS_EXTENDED_MASTER_SECRET,
    ScanCommand.ELLIPTIC_CURVES, ScanCommand.CERTIFICATE_INFO]
PATIENCE_S = 20

Target = collections.namedtuple("Target", "name host port pair")
# result: by command; early_bytes: what a ticket allows before the handshake, None without a ticket;
# asks: whether a client without certificate is refused; takes_stranger: of another CA, or None.
Seen = collections.namedtuple("Seen", "result early_bytes asks takes_stranger")


def target(text):
    name, rest = text.split("=", 1)
    address, *pair = rest.split(",")
    host, port = address.rsplit(":", 1)
    assert len(pair) in (0, 2), f"{text}: certificate and key, or neither"
    return Target(name, host.strip("[]"), int(port), tuple(map(pathlib.Path, pair)) or None)


def context(pair=None):
    """Of a client that looks at nothing: what it is shown is judged elsewhere."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if pair:
        made.load_cert_chain(*pair)
    return made


def is_taken(one, pair):
    """Whether a client gets through; by TLS 1.3 it learns that after its handshake."""
    with socket.create_connection((one.host, one.port), 5) as plain:
        try:
            with context(pair).wrap_socket(plain, server_hostname=one.host) as line:
                line.settimeout(2)
                line.recv(1)
                return False  # It has ended the line.
        except TimeoutError:
            return True  # It waits for us to speak.
        except (ssl.SSLError, ConnectionError):
            return False


def early_bytes(one, network):
    """What a ticket allows. sslyze asks by HTTP, and takes silence for a no."""
    location = ServerNetworkLocation(one.host, one.port)
    try:
        probed = check_connectivity_to_server(location, network)
    except ConnectionToServerFailed:
        return None
    if probed.highest_tls_version_supported != TlsVersionEnum.TLS_1_3:
        return None
    line = ServerConnectivityInfo(location, network, probed).get_preconfigured_tls_connection()
    try:
        line.connect()
        # The end of our handshake goes with what we say first; tickets are the answer to it.
        line.ssl_client.write(b"\n")
        line.ssl_client.get_underlying_socket().settimeout(1)
        try:
            line.ssl_client.read(1)
        except OSError:
            pass  # Nothing but tickets came.
        session = line.ssl_client.get_session()
        return session.get_max_early_data() if "session ticket:" in session.as_text() else None
    finally:
        line.close()


def look(one, ca, folder):
    location = ServerNetworkLocation(one.host, one.port)
    bare = ServerNetworkConfiguration(one.host)
    pair = one.pair and ClientAuthenticationCredentials(*one.pair)
    network = dataclasses.replace(bare, tls_client_auth_credentials=pair)
    extra = ScanCommandsExtraArguments(certificate_info=CertificateInfoExtraArgument(ca))
    scanner = Scanner(per_server_concurrent_connections_limit=1)
    scanner.queue_scans([ServerScanRequest(location, network, set(COMMANDS), extra)])
    [said] = scanner.get_results()
    assert said.scan_result, f"{one.name}: {said.connectivity_error_trace or said.scan_status}"
    result = {}
    for command in COMMANDS:
        attempt = getattr(said.scan_result, command.value)
        if attempt.status != ScanCommandAttemptStatusEnum.COMPLETED:
            trace = "".join(attempt.error_trace.format()) if attempt.error_trace else ""
            raise AssertionError(f"{one.name}: {command.value}: {attempt.error_reason} {trace}")
        result[command] = attempt.result
    asks = check_connectivity_to_server(location, bare).client_auth_requirement
    takes_stranger = None
    if one.pair:
        assert is_taken(one, one.pair), f"{one.name} does not take the certificate given"
        takes_stranger = is_taken(one, certificate(folder, "stranger"))
    return Seen(result, early_bytes(one, network), asks, takes_stranger)


def judge(one, seen):
    """What was found: about what, whether it is good, in words."""
    result = seen.result
    for name, command in OLD:
        offered = [each.cipher_suite.name for each in result[command].accepted_cipher_suites]
        silent = {each.error_message for each in result[command].rejected_cipher_suites
                  if "timed out" in each.error_message}
        yield (f"no {name}", not offered and not silent,
               f"takes {', '.join(offered)}" if offered else
               f"does not say no: {silent}" if silent else
               f"refuses all {len(result[command].rejected_cipher_suites)} suites")
    accepted = result[ScanCommand.TLS_1_3_CIPHER_SUITES].accepted_cipher_suites
    suites = {each.cipher_suite.name for each in accepted}
    yield "TLS 1.3", bool(suites), "spoken" if suites else "not spoken"
    yield "suites", suites <= SUITES, ", ".join(sorted(suites)) or "none"
    groups = {each.name for each in result[ScanCommand.ELLIPTIC_CURVES].supported_curves or []}
    yield "groups", groups <= GROUPS, ", ".join(sorted(groups)) or "none"

    has = result[ScanCommand.TLS_COMPRESSION].supports_compression
    yield "compression", not has, "taken" if has else "none"
    said = result[ScanCommand.SESSION_RENEGOTIATION]
    yield ("renegotiation",
           said.supports_secure_renegotiation
           and not said.is_vulnerable_to_client_renegotiation_dos,
           f"secure {said.supports_secure_renegotiation}, "
           f"{said.client_renegotiations_success_count} by a client taken")
    has = result[ScanCommand.TLS_1_3_EARLY_DATA].supports_early_data
    yield ("early data", not has and not seen.early_bytes,
           "no ticket" if seen.early_bytes is None else f"a ticket allows {seen.early_bytes} bytes")
    for name, command, field in [
            ("Heartbleed", ScanCommand.HEARTBLEED, "is_vulnerable_to_heartbleed"),
            ("CCS injection", ScanCommand.OPENSSL_CCS_INJECTION, "is_vulnerable_to_ccs_injection")]:
        is_open = getattr(result[command], field)
        yield name, not is_open, "vulnerable" if is_open else "not vulnerable"
    robot = result[ScanCommand.ROBOT].robot_result
    yield "ROBOT", robot in ROBOT_GOOD, robot.value.lower().replace("_", " ")
    has = result[ScanCommand.TLS_FALLBACK_SCSV].supports_fallback_scsv
    yield "downgrade", has, "refused" if has else "no TLS_FALLBACK_SCSV"
    has = result[ScanCommand.TLS_EXTENDED_MASTER_SECRET].supports_ems_extension
    yield "master secret", has, "bound to the handshake" if has else "not bound to the handshake"

    for deployment in result[ScanCommand.CERTIFICATE_INFO].certificate_deployments:
        yield from certificates(deployment)

    wanted = ClientAuthRequirementEnum.REQUIRED if one.pair else ClientAuthRequirementEnum.DISABLED
    yield "client's certificate", seen.asks == wanted, seen.asks.value.lower()
    if seen.takes_stranger is not None:
        yield ("client of another CA", not seen.takes_stranger,
               "let in" if seen.takes_stranger else "refused")


def certificates(deployment):
    """Of one chain that is shown."""
    [path] = [path for path in deployment.path_validation_results
              if path.trust_store.name == "Supplied CA file"]
    yield ("certificate's chain, name and purpose", path.was_validation_successful,
           "good" if path.was_validation_successful else str(path.validation_error))
    chain = path.verified_certificate_chain or deployment.received_certificate_chain
    # What the anchor's own signature is nobody asks.
    signed = [each for each in chain if each.issuer != each.subject]
    digests = [each.signature_hash_algorithm.name if each.signature_hash_algorithm else
               each.signature_algorithm_oid._name for each in signed]
    yield ("certificate's signature", bool(signed) and
           all(each in HASHES or each.startswith("ed") for each in digests), ", ".join(digests))
    keys = [each.public_key() for each in chain]
    yield "certificate's key", all(map(is_strong, keys)), ", ".join(map(words, keys))
    yield ("certificate's order", bool(deployment.received_chain_has_valid_order),
           f"{len(deployment.received_certificate_chain)} shown")
    leaf, now = chain[0], datetime.datetime.now(datetime.UTC)
    days = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days
    is_now = leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc
    life = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
    yield "certificate's life", is_now and days <= LIFE_DAYS_MAX, f"{life}, {days} days"


def is_strong(key):
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, CURVES)
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= RSA_BITS_MIN
    return isinstance(key, ed25519.Ed25519PublicKey)


def words(key):
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    return f"{type(key).__name__.removesuffix('PublicKey')} {getattr(key, 'key_size', '')}".strip()


def judged(one, ca, folder):
    return list(judge(one, look(one, ca, folder)))


# How it is shown that this fails when it should.

def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def certificate(folder, name, key=EC_KEY, host="localhost", purpose="serverAuth", days=90,
                digest="sha256", ca=None):
    """Makes a certificate, signed by a CA if one is given; its path and that of its key."""
    folder = pathlib.Path(folder)
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    signed = ["-CA", ca[0], "-CAkey", ca[1]] if ca else []
    (folder / f"{name}.cnf").write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = leaf\n[dn]\n[leaf]\n" + (
            "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n"
            "subjectKeyIdentifier = hash\n" if purpose is None else
            f"basicConstraints = critical, CA:FALSE\nsubjectAltName = DNS:{host}\n"
            f"extendedKeyUsage = {purpose}\n"
            # sslyze wants one of who did not sign itself.
            + ("authorityKeyIdentifier = keyid\n" if ca else "")))
    openssl("req", "-x509", *key, "-nodes", "-subj", f"/CN={name}", "-days", days, f"-{digest}",
            "-config", folder / f"{name}.cnf", "-out", paths[0], "-keyout", paths[1], *signed)
    return paths


# What must fail, and nothing else; how openssl serves; with which certificate.
PAGE, NOW = ["-www"], ["-tls1_3"]
WRONG = [
    ("good", set(), NOW, {}),
    ("TLS 1.2 beside 1.3", {"no TLS 1.2"}, ["-no_tls1_1", "-no_renegotiation"], {}),
    ("TLS 1.2 alone, a weak suite", {"no TLS 1.2", "TLS 1.3"},
     ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], {}),
    ("TLS 1.0 and what follows", {"no TLS 1.0", "no TLS 1.1", "no TLS 1.2"},
     ["-cipher", "ALL:@SECLEVEL=0"], {}),
    ("TLS 1.2, a client may renegotiate", {"no TLS 1.2", "TLS 1.3", "renegotiation"},
     ["-tls1_2", "-client_renegotiation"], {}),
    ("a short authentication tag", {"suites"},
     NOW + ["-ciphersuites", "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_GCM_SHA256",
            "-cipher", "ALL:@SECLEVEL=0"], {}),
    ("SHA-1", {"certificate's signature", "certificate's chain, name and purpose"},
     NOW + ["-cipher", "ALL:@SECLEVEL=0"],
     {"digest": "sha1"}),
    ("RSA of 1024 bits", {"certificate's key"}, NOW + ["-cipher", "ALL:@SECLEVEL=0"],
     {"key": ["-newkey", "rsa:1024"]}),
    ("another name", {"certificate's chain, name and purpose"}, NOW, {"host": "other.example"}),
    ("for clients only", {"certificate's chain, name and purpose"}, NOW, {"purpose": "clientAuth"}),
    ("for ten years", {"certificate's life"}, NOW, {"days": 3650}),
]


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Served:
    """openssl serves while this is entered."""

    def __init__(self, pair, arguments):
        self.port = free()
        self.command = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}",
                        "-cert", pair[0], "-key", pair[1], *arguments]

    def __enter__(self):
        # Not a pipe: it says a line for each connection that it refuses.
        self.words = tempfile.TemporaryFile()
        self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=self.words)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.words.seek(0)
                    raise AssertionError(self.words.read().decode()) from None
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.words.close()


def planted(folder):
    ca = certificate(folder, "ca", purpose=None)
    for name, wanted, arguments, how in WRONG:
        pair = certificate(folder, "server", **{"ca": ca, **how})
        with Served(pair, PAGE + arguments) as served:
            one = Target(name, "localhost", served.port, None)
            found = judged(one, ca[0], folder)
        yield name, wanted, found
    other = certificate(folder, "other", purpose=None)
    with Served(certificate(folder, "server", ca=other), PAGE + NOW) as served:
        one = Target("of another CA", "localhost", served.port, None)
        yield one.name, {"certificate's chain, name and purpose"}, judged(one, ca[0], folder)
    # Mutual TLS that is none, and one that takes everybody.
    pair = certificate(folder, "server", ca=ca)
    client = certificate(folder, "client", ca=ca, purpose="clientAuth")
    for name, wanted, arguments in [
            ("mutual", set(), ["-Verify", "1", "-verify_return_error", "-CAfile", ca[0]]),
            ("no certificate asked for", {"client's certificate", "client of another CA"}, []),
            ("any certificate taken", {"client of another CA"}, ["-Verify", "1"])]:
        with Served(pair, PAGE + NOW + arguments) as served:
            one = Target(name, "localhost", served.port, client)
            seen = look(one, ca[0], folder)
        yield name, wanted, list(judge(one, seen))
        if name == "mutual":
            good = one, seen
    one, seen = good
    # This one speaks with one client at a time, for as long as that likes: nobody scans it.
    with Served(pair, NOW + ["-quiet", "-early_data", "-max_early_data", "16384"]) as served:
        early = Target("early data", "localhost", served.port, None)
        allowed = early_bytes(early, ServerNetworkConfiguration("localhost"))
    yield "early data", {"early data"}, list(judge(one, seen._replace(early_bytes=allowed)))
    # No server that anybody can still install has these: the scanner's word is changed instead.
    for name, command, change in [
            ("Heartbleed", ScanCommand.HEARTBLEED, {"is_vulnerable_to_heartbleed": True}),
            ("CCS injection", ScanCommand.OPENSSL_CCS_INJECTION,
             {"is_vulnerable_to_ccs_injection": True}),
            ("ROBOT", ScanCommand.ROBOT,
             {"robot_result": RobotScanResultEnum.VULNERABLE_WEAK_ORACLE}),
            ("compression", ScanCommand.TLS_COMPRESSION, {"supports_compression": True}),
            ("renegotiation", ScanCommand.SESSION_RENEGOTIATION,
             {"supports_secure_renegotiation": False}),
            ("downgrade", ScanCommand.TLS_FALLBACK_SCSV, {"supports_fallback_scsv": False}),
            ("master secret", ScanCommand.TLS_EXTENDED_MASTER_SECRET,
             {"supports_ems_extension": False}),
            ("groups", ScanCommand.ELLIPTIC_CURVES,
             {"supported_curves": [EllipticCurve("secp192r1", 409)]})]:
        forged = {**seen.result, command: dataclasses.replace(seen.result[command], **change)}
        yield f"forged: {name}", {name}, list(judge(one, seen._replace(result=forged)))


def main():
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        if sys.argv[1] == "--planted":
            count = 0
            for name, wanted, found in planted(folder):
                failed = {about for about, is_good, _ in found if not is_good}
                told = "; ".join(f"{about}: {said}" for about, good, said in found if not good)
                print(f"planted: {name}: {told or 'all pass'}", flush=True)
                assert failed == wanted, f"{name}: fails {failed}, should {wanted}"
                count += 1
            print(json.dumps({"schema": 1, "planted": count}))
            return 0
        ca, targets = pathlib.Path(sys.argv[1]), list(map(target, sys.argv[2:]))
        assert targets, "nothing to look at"
        passed = failed = 0
        for one in targets:
            for about, is_good, said in judged(one, ca, folder):
                print(f"{one.name}: {'pass' if is_good else 'FAIL'}: {about}: {said}", flush=True)
                passed, failed = passed + is_good, failed + (not is_good)
        print(json.dumps({"schema": 1, "targets": len(targets), "pass": passed, "fail": failed}))
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
