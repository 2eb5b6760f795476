"""A bulk request (RFC 7644 section 3.7): each operation is atomic, and many share one commit."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from schemas.bulk import BulkOperation, BulkRequest, bulk_result
from schemas.errors import ScimError
from schemas.json_bounds import MOST_VALUES, check_values
from schemas.messages import error_document
from scim.protocol.bulk_plan import BulkPlan, BulkStep, plan, resolve, should_stop, split_path, without
from scim.protocol.etags import Conditions
from scim.protocol.projection import Projection
from scim.service import resources
from scim.service.context import Answer, Context

OPERATIONS_PER_COMMIT = 100


class BulkRun:
    """The run of one request: the result of each operation, and the ids of the resources that it created.

    `explain` returns any exception as a ScimError for the client.
    """

    def __init__(self, context: Context, request: BulkRequest, explain: Callable[[Exception], ScimError]) -> None:
        self.context = context
        self.request = request
        self.explain = explain
        self.kinds = context.resource_types.writable
        self.found: dict[int, dict[str, Any]] = {}
        self.ids: dict[str, str] = {}
        self.half_made: set[int] = set()
        self.errors = 0

    def results(self) -> list[dict[str, Any]]:
        """Return the results in the order of the request, up to where `failOnErrors` ends it."""
        planned = plan(self.request, self.kinds)
        todo = iter(self._until_stopped(planned))
        while steps := list(islice(todo, OPERATIONS_PER_COMMIT)):
            with self.context.repository.writing(self.context.author):
                for step in steps:
                    if self._goes_on(step):
                        self._step(step, planned)
        return [self.found[index] for index in sorted(self.found)]

    def _until_stopped(self, planned: BulkPlan) -> Iterator[BulkStep]:
        """Yield the planned steps, with those that failed already at their places in the request."""
        steps = list(planned.steps)
        for index in planned.errors:
            place = next((at for at, other in enumerate(steps) if other.index > index), len(steps))
            steps.insert(place, BulkStep(index))
        yield from filter(self._goes_on, steps)

    def _goes_on(self, step: BulkStep) -> bool:
        """Tell whether a step runs: after too many errors, only the second half of an operation that was begun."""
        begun = step.completes and step.index in self.found
        return begun or not should_stop(self.errors, self.request.failOnErrors)

    def _step(self, step: BulkStep, planned: BulkPlan) -> None:
        operation = self.request.operations[step.index]
        if step.completes and "response" in self.found[step.index]:
            return
        try:
            if step.index in planned.errors:
                raise planned.errors[step.index]
            answer = self._complete(operation) if step.completes else self._operate(operation, step)
        except Exception as error:
            if step.index in self.half_made:
                # A failed operation changes nothing (RFC 7644 section 3.7): delete what its first half created.
                kind = self.kinds[split_path(operation, self.kinds)[0]]
                resources.delete(self.context, kind, self.ids.pop(operation.bulkId or ""), Conditions())
            self._failed(operation, self.explain(error))
            return
        location = answer.location or self._location(operation)
        result = bulk_result(operation, answer.status, location=location, version=answer.etag)
        if step.completes:
            result["status"] = self.found[step.index]["status"]
        self.found[step.index] = result

    def _failed(self, operation: BulkOperation, error: ScimError) -> None:
        self.errors += 1
        self.found[operation.position] = bulk_result(
            operation, error.status, location=self._location(operation), response=error_document(error)
        )

    def _location(self, operation: BulkOperation) -> str | None:
        """Return the URI of an operation's resource; a POST that failed has none."""
        if operation.method == "POST":
            return None
        try:
            path: str = resolve(operation.path, self.ids)
        except ScimError:
            return None
        return f"{self.context.base}/{path.strip('/')}"

    def _operate(self, operation: BulkOperation, step: BulkStep) -> Answer:
        endpoint, identifier = split_path(operation, self.kinds)
        kind, conditions = self.kinds[endpoint], Conditions(operation.version)
        projection = Projection.parse(None, None, kind.schema)
        identifier = resolve(identifier, self.ids) if identifier else None
        if operation.method == "DELETE":
            return resources.delete(self.context, kind, identifier or "", conditions)
        if kind.name != "Group":
            check_values(operation.data, MOST_VALUES)
        data = resolve(without(operation.data, step.withheld), self.ids)
        if operation.method == "POST":
            answer = resources.create(self.context, kind, data, projection)
            self.ids[operation.bulkId or ""] = answer.identifier or ""
            # A re-activated user existed before, and its version is not the first.
            if step.withheld and (answer.etag or "").startswith('W/"1.'):
                self.half_made.add(step.index)
            return answer
        change = resources.replace if operation.method == "PUT" else resources.patch
        return change(self.context, kind, identifier or "", data, projection, conditions)

    def _complete(self, operation: BulkOperation) -> Answer:
        """Run the second half of an operation of a circle, now that its references exist."""
        endpoint, identifier = split_path(operation, self.kinds)
        kind = self.kinds[endpoint]
        if operation.method == "POST":
            identifier = self.ids.get(operation.bulkId or "", "")
        data = resolve(operation.data, self.ids)
        change = resources.patch if operation.method == "PATCH" else resources.replace
        identifier = resolve(identifier, self.ids)
        return change(
            self.context, kind, identifier or "", data, Projection.parse(None, None, kind.schema), Conditions()
        )
