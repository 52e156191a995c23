"""AWS Budgets: what moto lacks, on moto's own budgets.

Documented at https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from moto.budgets.models import Budget, budgets_backends

from aws_stand_in.answers import AwsError


class Budgets:
    """Tags of budgets, subscribers of notifications and updates."""

    ACTIONS: ClassVar[dict[str, str]] = {
        "DescribeSubscribersForNotification": "subscribers",
        "ListTagsForResource": "list_tags",
        "TagResource": "tag",
        "UntagResource": "untag",
        "UpdateBudget": "update",
    }

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}

    def after_moto(self, action: str, body: dict[str, Any]) -> None:
        """Keep the tags of a new budget; forget those of one that is gone."""
        account = body.get("AccountId", "")
        name = body.get("BudgetName") or body.get("Budget", {}).get("BudgetName")
        arn = f"arn:aws:budgets::{account}:budget/{name}"
        if action == "CreateBudget" and arn not in self.tags:
            self.tags[arn] = {tag["Key"]: tag["Value"] for tag in body.get("ResourceTags", [])}
        if action == "DeleteBudget":
            self.tags.pop(arn, None)

    def call(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, self.ACTIONS[action])(body)

    def find(self, account: str, name: str) -> Budget:
        found = budgets_backends[account]["aws"].budgets[account].get(name)
        if found is None:
            raise AwsError("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
        return found

    def tagged(self, arn: str) -> dict[str, str]:
        """The tags of one budget: what its creation gave, and what came after."""
        account, name = arn.split(":")[4], arn.partition(":budget/")[2]
        self.find(account, name)
        return self.tags.setdefault(arn, {})

    def subscribers(self, body: dict[str, Any]) -> dict[str, Any]:
        for notification in self.find(body["AccountId"], body["BudgetName"]).notifications:
            if same_notification(notification.details, body["Notification"]):
                return {"Subscribers": notification.subscribers}
        raise AwsError("NotFoundException", "Unable to get subscribers - the notification doesn't exist.")

    def list_tags(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "ResourceTags": [{"Key": key, "Value": value} for key, value in self.tagged(body["ResourceARN"]).items()]
        }

    def tag(self, body: dict[str, Any]) -> dict[str, Any]:
        self.tagged(body["ResourceARN"]).update({tag["Key"]: tag["Value"] for tag in body["ResourceTags"]})
        return {}

    def untag(self, body: dict[str, Any]) -> dict[str, Any]:
        for key in body["ResourceTagKeys"]:
            self.tagged(body["ResourceARN"]).pop(key, None)
        return {}

    def update(self, body: dict[str, Any]) -> dict[str, Any]:
        new = body["NewBudget"]
        budget = self.find(body["AccountId"], new["BudgetName"])
        budget.budget = {**budget.budget, **new}
        return {}


def same_notification(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two notifications are one: AWS knows them by what they compare, not by an id."""
    keys = ("ComparisonOperator", "NotificationType", "Threshold", "ThresholdType")
    return all(one.get(key) == other.get(key) for key in keys)
