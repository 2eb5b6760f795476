"""What can be wrong with a SCIM server that Okta talks to, each by a name; see broken_server."""

DEFECTS = frozenset(
    {
        "string numbers", "no numbers", "no Resources on empty", "Resources null", "no ListResponse schema",
        "list too long", "html media type", "duplicate 200", "duplicate accepted", "case-variant duplicates",
        "201 without body", "200 for created", "numeric id", "case-sensitive look-up", "filter ignored",
        "look-up by beginning", "deactivated hidden", "deactivated 404", "deactivated not found", "shuffled pages",
        "last modified first", "pages of 50", "second page repeats", "itemsPerPage as asked", "total of the page",
        "emails lost", "html errors", "numeric error status", "no detail", "no error schema", "404 as 500",
        "digits 400", "digits 500", "wrong key 200", "wrong key 403", "no key 200", "bare key refused",
        "roles refused", "roles as objects", "role objects refused", "only first role", "roles kept on null",
        "roles kept on []", "roles kept when absent", "own name refused", "old name taken", "members null refused",
        "member without type refused", "members merged on PUT", "member list empty", "PATCH without effect",
        "PATCH of active without effect", "PATCH answers nothing", "PATCH id refused", "PATCH remove empties",
        "PATCH add replaces", "PATCH needs a path", "PATCH refused", "PUT without effect", "PUT refused",
        "PUT without active deactivates", "PUT without active activates", "PUT of active without effect",
        "PUT userName without effect", "PUT duplicate accepted", "PUT refuses readOnly", "userName lower-cased",
        "password refused", "password returned", "nulls refused", "externalId lost", "group deletes people",
        "delete without effect", "delete 500",
        "people cannot be deleted", "slow groups", "reactivation refused", "deactivated for ever",
        "deactivation blanks", "bad filter accepted", "bad JSON 500", "no userName accepted", "beyond the end 400",
        "group members hidden in lists", "entitlement page size", "entitlements empty", "groups 404",
        "json type refused", "users 400", "role without displayName", "schemas 404", "resource types without Resources",
        "roles without effect", "groups not found by name",
    }
)  # fmt: skip
