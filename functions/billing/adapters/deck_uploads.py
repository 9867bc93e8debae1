"""Files of decks on their way in: put into the bucket by whoever holds a signed URL."""

import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from billing.domain.errors import NotFoundError
from billing.ports import Clock, UploadOffer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OFFERED_FOR = timedelta(minutes=15)
CONTENT_TYPE = "text/csv"

_ID = re.compile(r"[0-9a-f]{32}")


class S3DeckUploads:
    """Below ``uploads/``, which the bucket empties by itself (infra/template.yaml).

    Args:
        s3: Signs with version 4; nothing older covers the length.
    """

    def __init__(self, bucket: str, s3: "S3Client", clock: Clock) -> None:
        self._bucket = bucket
        self._s3 = s3
        self._clock = clock

    def offer(self, deck_id: str, size_bytes: int) -> UploadOffer:
        upload_id = secrets.token_hex(16)
        url = self._s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": _key(deck_id, upload_id),
                # Signed, so that nothing larger than was asked for can be put there.
                "ContentLength": size_bytes,
                "ContentType": CONTENT_TYPE,
            },
            ExpiresIn=int(OFFERED_FOR.total_seconds()),
        )
        headers = {"Content-Length": str(size_bytes), "Content-Type": CONTENT_TYPE}
        return UploadOffer(upload_id, url, headers, self._clock.now() + OFFERED_FOR)

    def content(self, deck_id: str, upload_id: str) -> bytes:
        if not _ID.fullmatch(upload_id):
            raise _not_found()
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=_key(deck_id, upload_id))
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for what is not there.
            if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied"):
                raise _not_found() from error
            raise
        return found["Body"].read()


def _key(deck_id: str, upload_id: str) -> str:
    return f"uploads/{deck_id}/{upload_id}.csv"


def _not_found() -> NotFoundError:
    return NotFoundError("nothing was put there, or it is gone again")
