/** The catalogue of errors that the API answers; every message names the parameter or resource it is about. */
import { retCodes } from "../../qingcloud/errors.ts";

/** An answer with a ret_code other than 0. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly retCode: number;

  constructor(retCode: number, message: string) {
    super(message);
    this.retCode = retCode;
  }
}

export const missing = (parameter: string): ApiError =>
  new ApiError(retCodes.malformed, `MissingParameter, parameter [${parameter}] is missing`);

export const malformed = (parameter: string, given: unknown, expected: string): ApiError =>
  new ApiError(
    retCodes.malformed,
    `InvalidParameterFormat, parameter [${parameter}] is [${String(given)}], must be ${expected}`,
  );

export const badValue = (parameter: string, given: unknown, allowed: string): ApiError =>
  new ApiError(
    retCodes.invalidParameter,
    `InvalidParameterValue, parameter [${parameter}] is [${String(given)}], allowed: ${allowed}`,
  );

export const unauthenticated = (reason: string): ApiError =>
  new ApiError(retCodes.authenticationFailed, `AuthFailure, ${reason}`);

export const expired = (reason: string): ApiError =>
  new ApiError(retCodes.expired, `RequestExpired, ${reason}`);

/** What a resource is or does forbids what was asked, e.g. `instance [i-…] is not running, can not be stopped`. */
export const denied = (reason: string): ApiError =>
  new ApiError(retCodes.permissionDenied, `PermissionDenied, ${reason}`);

/** What a message says in place of a value that is a secret, or may be one in the wrong place. */
export const secret = "[secret]";

export const notFound = (kind: string, id: string): ApiError =>
  new ApiError(retCodes.notFound, `ResourceNotFound, ${kind} [${id}] does not exist`);

export const alreadyExists = (reason: string): ApiError =>
  new ApiError(retCodes.alreadyExists, `ResourceAlreadyExists, ${reason}`);

export const quotaExceeded = (reason: string): ApiError =>
  new ApiError(retCodes.quotaExceeded, `QuotasExceeded, ${reason}`);

export const insufficientResources = (reason: string): ApiError =>
  new ApiError(retCodes.insufficientResources, `InsufficientResources, ${reason}`);

/** Something else still uses the resource. */
export const inUse = (kind: string, id: string, dependents: readonly string[], doing: string): ApiError =>
  new ApiError(
    retCodes.dependencyExists,
    `DependencyExists, ${kind} [${id}] is used by [${dependents.join(", ")}], can not be ${doing}`,
  );
