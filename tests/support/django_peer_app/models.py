"""Users and groups with the columns of django-scim2."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Group(AbstractSCIMGroupMixin):  # type: ignore[misc]
    """A group."""

    name = models.CharField(max_length=254, unique=True)


class User(AbstractSCIMUserMixin, AbstractUser):  # type: ignore[misc]
    """A person."""

    scim_groups = models.ManyToManyField(Group, related_name="user_set")
    groups = None
