"""Task tokens at rest: encrypted with the deployment's own key, each bound to the approval it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

APPROVAL = "approval_id"
"""What a sealed token is bound to: KMS's encryption context. Roles may use the key for nothing else directly.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""


class TaskTokens:
    """Seals and opens Step Functions task tokens.

    A token is at most 2,048 characters and KMS encrypts up to 4,096 bytes directly, so no data key is needed.
    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, "Plaintext".
    """

    def __init__(self, client: KMSClient, key_arn: str = "") -> None:
        self._client = client
        self._key_arn = key_arn

    def seal(self, token: str, approval_id: str) -> bytes:
        """The token, readable only together with the approval id."""
        answer = self._client.encrypt(
            KeyId=self._key_arn, Plaintext=token.encode(), EncryptionContext={APPROVAL: approval_id}
        )
        return answer["CiphertextBlob"]

    def open(self, sealed: bytes, approval_id: str) -> str:
        """The token. Raises botocore's ClientError when it was sealed for another approval or is damaged.

        The ciphertext itself names its key, so whoever only opens needs no `key_arn`.
        """
        answer = self._client.decrypt(CiphertextBlob=sealed, EncryptionContext={APPROVAL: approval_id})
        return answer["Plaintext"].decode()
