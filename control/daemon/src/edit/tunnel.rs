use std::str::FromStr;

use ulvs_api::RealServerEdit;
use ulvs_ipvs::table::{DestinationSpec, Tunnel};
use ulvs_model::{Encapsulation, ForwardMethod, TunnelChecksum, TunnelType, UnknownName};

use super::InField;

/// The tunnel that an edit leaves. What is not said stays, but of another type nothing can.
pub(super) fn merged(spec: &DestinationSpec, said: &RealServerEdit) -> Result<Tunnel, InField> {
    let RealServerEdit { method, tun_type, tun_port, tun_checksum, .. } = said;
    let keys =
        [("tun_type", tun_type.is_some()), ("tun_port", tun_port.is_some()), ("tun_checksum", tun_checksum.is_some())];
    let first = keys.into_iter().find_map(|(key, is_said)| is_said.then_some(key));
    if spec.method != ForwardMethod::Tun.code() {
        return match first {
            Some(key) => {
                Err((key, "only a real server of method tun has a tunnel: say `method`, or leave it out".to_owned()))
            }
            // what netlink keeps beside other methods stays with them
            None if method.is_none() => Ok(spec.tunnel),
            None => Ok(Tunnel::default()),
        };
    }
    if first.is_none() {
        return Ok(spec.tunnel);
    }
    let before = spec.tunnel.encapsulation().unwrap_or_default();
    let kind = named::<TunnelType>("tun_type", tun_type.as_ref())?.unwrap_or_else(|| before.kind());
    let stays = Some(before).filter(|before| before.kind() == kind);
    let port = tun_port.or_else(|| stays.and_then(Encapsulation::port));
    let checksum = named::<TunnelChecksum>("tun_checksum", tun_checksum.as_ref())?;
    let checksum = checksum.or_else(|| stays.map(Encapsulation::checksum));
    let made = Encapsulation::new(kind, port, checksum);
    made.map(Tunnel::from).map_err(|error| (error.key(), error.to_string()))
}

fn named<T: FromStr<Err = UnknownName>>(key: &'static str, name: Option<&String>) -> Result<Option<T>, InField> {
    name.map(|name| name.parse().map_err(|error: UnknownName| (key, error.to_string()))).transpose()
}
