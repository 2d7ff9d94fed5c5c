"""A hub of models on the loopback interface: what the Hugging Face client needs to upload and download repositories.

Two servers, as in reality: one answers the API and takes small files; the other takes and sends the bytes of large ones,
and must never see a token.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.loopback_hub import _Handler, _Server

TOKEN = "hf_write"
ATTRIBUTES = {".gitattributes": b"*.onnx filter=lfs\n*.safetensors filter=lfs\n"}
LARGE = (".onnx", ".safetensors")  # suffixes that the hub stores as large files
MODEL = r"[\w.-]+/[\w.-]+"


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Repository:
    """A repository: the files of each commit, oldest first."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], title: str) -> str:
        text = f"{len(self.commits)} {title} " + " ".join(map(git_hash, files.values()))
        sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = files
        self.titles.append(title)
        return sha

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.head]


class ModelHub:
    """The two servers, their repositories, the faults to simulate, and the requests received.

    Attributes:
        repos: Repositories by ``USER/REPO``.
        users: Accounts that the token may write to.
        fail: Status with which the hub answers every request whose path holds a text.
        portal: Whether a login page responds instead of the hub.
        served: Bytes to send for a path instead of the stored ones.
        sizes: Length to list for a path instead of the true one.
        before_commit: Called before a commit is taken.
        store: Large files by SHA-256.
        requests: Server and path of each request.
        leaked: Whether a token was sent to the server of the bytes.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repository] = {}
        self.users = ["anna"]
        self.fail: tuple[str, int] | None = None
        self.portal = False
        self.served: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.before_commit: Any = lambda: None
        self.store: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.leaked = False
        self.go = threading.Event()
        self._servers = [_Server(handler, self) for handler in (_Api, _Store)]
        self.endpoint, self.bytes_url = (server.url for server in self._servers)

    def paths(self, word: str) -> list[str]:
        """Return the paths of requests that hold a word."""
        return [path for _, path, _ in self.requests if word in path]

    def stop(self) -> None:
        """Close both servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Api(_Handler):
    name = "hub"

    @property
    def hub(self) -> ModelHub:
        return self.server.hub  # type: ignore[return-value]

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def is_refused(self, path: str) -> bool:
        """Answer with a simulated fault; return whether there is one."""
        self.note(path)
        if self.hub.portal:
            self.answer(200, "<html>Please log in to this network.</html>", raw=True)
            return True
        if self.hub.fail is not None and self.hub.fail[0] in path:
            self.answer(self.hub.fail[1], {"error": "No"})
            return True
        return False

    def may_read(self, repo: Repository | None) -> bool:
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        return repo is not None and (known or not repo.private)

    def do_POST(self) -> None:  # noqa: N802
        """Take what a push sends."""
        body, path = self.read(), urlsplit(self.path).path
        if self.is_refused(path):
            return None
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if match := re.fullmatch(rf"/api/models/({MODEL})/(preupload|commit)/main", path):
            repo = self.hub.repos[match[1]]
            take = self._preupload if match[2] == "preupload" else self._commit
            return take(match[1], repo, body)
        if match := re.fullmatch(rf"/({MODEL})\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body))
        return self.answer(404, {"error": "Not found"})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] not in self.hub.users:
            return self.answer(403, {"error": "You don't have the rights"})
        if name in self.hub.repos:
            return self.answer(409, {"error": "It exists", "url": f"{self.hub.endpoint}/{name}"})
        repo = Repository(wanted.get("visibility") == "private")
        repo.commit(dict(ATTRIBUTES), "initial commit")
        self.hub.repos[name] = repo
        return self.answer(200, {"url": f"{self.hub.endpoint}/{name}"})

    def _preupload(self, name: str, repo: Repository, body: bytes) -> None:
        files = []
        for file in json.loads(body)["files"]:
            held, large = repo.files.get(file["path"]), file["path"].endswith(LARGE)
            entry = {"path": file["path"], "shouldIgnore": False}
            entry["uploadMode"] = "lfs" if large else "regular"
            if held is not None:
                entry["oid"] = hashlib.sha256(held).hexdigest() if large else git_hash(held)
            files.append(entry)
        return self.answer(200, {"files": files})

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.bytes_url}/{one['oid']}"}}}
            for one in wanted["objects"]
        ]
        return self.answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, repo: Repository, body: bytes) -> None:
        self.hub.before_commit()
        header, *lines = map(json.loads, body.splitlines())
        if header["value"].get("parentCommit", repo.head) != repo.head:
            return self.answer(412, {"error": "The branch has moved"})
        files = dict(repo.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.store[value["oid"]]
            else:
                assert line["key"] == "deletedFile"
                del files[value["path"]]
        sha = repo.commit(files, header["value"]["summary"])
        url = f"{self.hub.endpoint}/{name}/commit/{sha}"
        return self.answer(200, {"commitUrl": url, "commitOid": sha})

    def do_GET(self) -> None:  # noqa: N802
        """Answer what a pull asks."""
        url = urlsplit(self.path)
        if self.is_refused(url.path):
            return None
        if match := re.fullmatch(rf"/api/models/({MODEL})(?:/revision/([^/]+))?", url.path):
            blobs = "blobs" in parse_qs(url.query)
            return self._info(match[1], unquote(match[2] or "main"), blobs)
        if match := re.fullmatch(rf"/({MODEL})/resolve/([^/]+)/(.+)", url.path):
            return self._resolve(match[1], match[2], unquote(match[3]))
        return self.answer(404, {"error": "Not found"}, X_Error_Code="RepoNotFound")

    def find(self, repo: Repository, revision: str) -> str | None:
        shas = [sha for sha in repo.commits if sha.startswith(revision)]
        return repo.head if revision == "main" else next(iter(shas), None)

    def _info(self, name: str, revision: str, blobs: bool) -> None:
        repo = self.hub.repos.get(name)
        if repo is None or not self.may_read(repo):
            return self.answer(401, {"error": "Invalid"}, X_Error_Code="RepoNotFound")
        if (sha := self.find(repo, revision)) is None:
            return self.answer(404, {"error": "No"}, X_Error_Code="RevisionNotFound")
        siblings = [
            {"rfilename": path}
            | ({"size": self.hub.sizes.get(path, len(content))} if blobs else {})
            for path, content in repo.commits[sha].items()
        ]
        facts = {"id": name, "sha": sha, "private": repo.private, "siblings": siblings}
        return self.answer(200, facts)

    def _resolve(self, name: str, sha: str, path: str) -> None:
        repo = self.hub.repos.get(name)
        if repo is None or not self.may_read(repo):
            return self.answer(401, {"error": "Invalid"}, X_Error_Code="RepoNotFound")
        content = self.hub.served.get(path, repo.commits[sha].get(path))
        if content is None:
            return self.answer(404, {"error": "No"}, X_Error_Code="EntryNotFound")
        oid = hashlib.sha256(content).hexdigest()
        self.hub.store[oid] = content
        return self.answer(302, Location=f"{self.hub.bytes_url}/{oid}", X_Repo_Commit=sha)


class _Store(_Handler):
    name = "bytes"

    def do_PUT(self) -> None:  # noqa: N802
        """Take a large file; refuse one whose digest is not its name."""
        content, oid = self.rfile.read(int(self.headers["Content-Length"])), self.path.strip("/")
        hub: Any = self.note(oid)
        hub.leaked |= "Authorization" in self.headers
        if hashlib.sha256(content).hexdigest() != oid:
            return self.answer(400, {"error": "another digest"})
        hub.store[oid] = content
        return self.answer(200)

    def do_GET(self) -> None:  # noqa: N802
        """Send a large file."""
        hub: Any = self.note(self.path)
        hub.leaked |= "Authorization" in self.headers
        content = hub.store[self.path.strip("/")]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
