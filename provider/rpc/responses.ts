/** Answers of the provider's RPCs that carry lists. */
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import type { Difference } from "../checks.ts";
import type { Problem } from "../resource.ts";
import type { Struct } from "./values.ts";

export function checkResponse(inputs: Struct, problems: readonly Problem[]) {
  return new provider.CheckResponse().setInputs(inputs).setFailuresList(problems.map(toFailure));
}

export function invokeFailures(problems: readonly Problem[]) {
  return new provider.InvokeResponse().setFailuresList(problems.map(toFailure));
}

function toFailure({ property, reason }: Problem) {
  return new provider.CheckFailure().setProperty(property).setReason(reason);
}

export function diffResponse(differences: readonly Difference[], deleteBeforeReplace: boolean) {
  const { DIFF_NONE, DIFF_SOME } = provider.DiffResponse.DiffChanges;
  const response = new provider.DiffResponse()
    .setChanges(differences.length > 0 ? DIFF_SOME : DIFF_NONE)
    .setDiffsList(differences.map(({ property }) => property))
    .setReplacesList(differences.filter(({ replace }) => replace).map(({ property }) => property))
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  for (const { details, replace } of differences) {
    for (const { path, kind } of details) {
      const name =
        `${kind}${replace ? "_replace" : ""}`.toUpperCase() as keyof typeof provider.PropertyDiff.Kind;
      const detail = new provider.PropertyDiff().setKind(provider.PropertyDiff.Kind[name]).setInputdiff(true);
      response.getDetaileddiffMap().set(path, detail);
    }
  }
  return response;
}
