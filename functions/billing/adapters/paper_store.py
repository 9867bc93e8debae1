"""Printed documents in the object store, below ``documents/``: written once, and read by a link."""

from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from billing.ports import Clock, PaperLink

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINKED_FOR = timedelta(minutes=15)
CONTENT_TYPE = "application/pdf"


class S3PaperStore:
    """
    Args:
        s3: Signs with version 4.
    """

    def __init__(self, bucket: str, s3: "S3Client", clock: Clock) -> None:
        self._bucket = bucket
        self._s3 = s3
        self._clock = clock

    def has(self, name: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=_key(name))
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for what is not there.
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "403", "AccessDenied"):
                return False
            raise
        return True

    def keep(self, name: str, content: bytes) -> None:
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=_key(name),
                Body=content,
                ContentType=CONTENT_TYPE,
                IfNoneMatch="*",
            )
        except ClientError as error:
            # 409: another is being written under the name at this moment; it will be there.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (409, 412):
                raise

    def link(self, name: str, file_name: str) -> PaperLink:
        url = self._s3.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": _key(name),
                "ResponseContentType": CONTENT_TYPE,
                "ResponseContentDisposition": f'inline; filename="{file_name}"',
            },
            ExpiresIn=int(LINKED_FOR.total_seconds()),
        )
        return PaperLink(url, self._clock.now() + LINKED_FOR)


def _key(name: str) -> str:
    return f"documents/{name}"
