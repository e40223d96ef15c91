"""One request to blob storage, signed with the account's key: blob.py URL ACCOUNT KEY METHOD CONTAINER[/BLOB][?QUERY]

Prints the answer's body; an answer other than 2xx ends with code 1. The signature is what
https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key describes.
"""

import base64
import hashlib
import hmac
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate

url, account, key, method, place = sys.argv[1:]
path, _, query = place.partition("?")
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
signed = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
resource = f"/{account}/{account}/{path}"
resource += "".join(f"\n{name}:{value}" for name, value in sorted(urllib.parse.parse_qsl(query)))
text = f"{method}\n" + "\n" * 11 + signed + resource
signature = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
headers["Authorization"] = f"SharedKey {account}:{signature}"
request = urllib.request.Request(f"{url}/{account}/{place}", method=method, headers=headers)
try:
    with urllib.request.urlopen(request) as answer:
        while piece := answer.read(1 << 20):
            sys.stdout.buffer.write(piece)
except urllib.error.HTTPError as error:
    sys.exit(f"{error.code} {error.read()[:300]!r}")
