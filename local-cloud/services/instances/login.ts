/** Who may log in to an instance, and ResetInstances, which decides it anew. */
import type { ParsedRequestOf } from "../../../qingcloud/action.ts";
import type * as actions from "../../../qingcloud/actions.ts";
import type { InstanceLogin } from "../../store/resources.ts";
import { type Context, distinct, type Handler, type Handlers, need, needIdle } from "../context.ts";
import { denied, missing } from "../errors.ts";
import { hashPassword } from "./sha512-crypt.ts";

type Login = Pick<
  ParsedRequestOf<typeof actions.RunInstances>,
  "login_mode" | "login_passwd" | "login_keypair"
>;

/** The key pair, or the password as a hash, that a login mode asks for. */
export function readLogin(request: Login, context: Context): InstanceLogin {
  if (request.login_mode === "passwd") {
    if (request.login_passwd === undefined) throw missing("login_passwd");
    return { keypairIds: [], passwordHash: hashPassword(request.login_passwd) };
  }
  if (request.login_keypair === undefined) throw missing("login_keypair");
  return { keypairIds: [need(context, "keypair", request.login_keypair).id] };
}

const resetInstances: Handler<typeof actions.ResetInstances> = (request, context) => {
  const login = readLogin(request, context);
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  for (const instance of instances) {
    needIdle(instance, "reset");
    if (instance.status !== "running" && instance.status !== "stopped") {
      throw denied(`instance [${instance.id}] is not running or stopped, can not be reset`);
    }
  }
  for (const instance of instances) context.store.put({ ...instance, transition: "resetting" });
  const ids = instances.map(({ id }) => id);
  return { job_id: context.startJob({ action: "ResetInstances", instances: ids, ...login }, ids) };
};

export const instanceLoginHandlers = { ResetInstances: resetInstances } satisfies Partial<Handlers>;
