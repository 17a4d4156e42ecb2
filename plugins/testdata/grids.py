"""Writes kinds4.nc, sparse4.nc, chunks4.nc, filters4.nc, codecs2.zarr.zip and codecs3.zarr.zip.

By netCDF4 1.7, h5py 3.16, hdf5plugin 6.0 and zarr 3.1; `grids.py filters` alone, as netCDF4 and hdf5plugin bring
the same filters.
"""
import os
import sys

import h5py
import numpy as np


def values(n, kind): return (np.arange(n, dtype="i8")//3 % 90 - 20).astype(kind)


def filters():
    import hdf5plugin
    h=h5py.File("filters4.nc","w")
    h["x"]=np.arange(3000,dtype="i4"); h["x"].make_scale("x")
    w=values(3000,"f8")
    for n,k in dict(zstd=hdf5plugin.Zstd(),bzip2=hdf5plugin.BZip2(),blosc_lz4=hdf5plugin.Blosc(cname="lz4"),blosc_zstd=hdf5plugin.Blosc(cname="zstd",shuffle=2),blosc_lz=hdf5plugin.Blosc(cname="blosclz"),blosc_zlib=hdf5plugin.Blosc(cname="zlib"),lz4=hdf5plugin.LZ4(),lzf=dict(compression="lzf"),gzip=dict(compression="gzip",shuffle=True,fletcher32=True),blosc2=hdf5plugin.Blosc2()).items():
        d=h.create_dataset(n,data=w,chunks=(1000,),**k); d.dims[0].attach_scale(h["x"])
    h.close()


def others():
    import netCDF4, numcodecs, zarr
    from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec
    from zarr.storage import ZipStore
    for p in ("codecs2.zarr.zip", "codecs3.zarr.zip"):
        if os.path.exists(p):
            os.remove(p)
    s=ZipStore("codecs2.zarr.zip", mode="w"); g=zarr.group(s, zarr_format=2)
    comps={}
    for c in ("blosclz","lz4","lz4hc","zlib","zstd"):
        for sh in (0,1,2): comps[f"{c}_{sh}"]=numcodecs.Blosc(cname=c,clevel=5,shuffle=sh)
    comps.update(zlib=numcodecs.Zlib(),gzip=numcodecs.GZip(),bz2=numcodecs.BZ2(),lz4=numcodecs.LZ4(),zstd=numcodecs.Zstd())
    for name,c in comps.items():
        for kind in (("<f8","<i2") if name in ("blosclz_1","lz4_2","zstd_1","bz2") else ("<f8",)):
            a=g.create_array(f"{name}_{kind[1:]}",shape=(6000,),chunks=(2500,),dtype=kind,compressors=c,attributes={"_ARRAY_DIMENSIONS":["x"]},fill_value=None); a[:]=values(6000,kind)
    s.close()
    s=ZipStore("codecs3.zarr.zip", mode="w"); g=zarr.group(s)
    def add(name, kind="f4", **k):
        a=g.create_array(name,shape=(30,40),chunks=k.pop("chunks",(8,16)),dtype=kind,dimension_names=["y","x"],fill_value=k.pop("fill",0),**k)
        return a
    whole=values(1200,"f4").reshape(30,40)
    for name,k in dict(gzip=dict(compressors=[GzipCodec()]),zstd=dict(compressors=[ZstdCodec(checksum=True)]),blosc=dict(compressors=[BloscCodec(cname="lz4",shuffle="bitshuffle")]),
        crc=dict(compressors=[GzipCodec(),Crc32cCodec()]), big=dict(serializer=BytesCodec(endian="big"),compressors=None),
        turned=dict(filters=[TransposeCodec(order=(1,0))],compressors=[ZstdCodec()]),
        sharded=dict(chunks=(4,8),shards=(16,16),compressors=[ZstdCodec()]), half=dict(kind="f2"), int8=dict(kind="i1")).items():
        a=add(name,**k)
        a[:]= whole if k.get("kind","f4")!="i1" else whole.astype("i1")
    a=add("gaps",fill=np.nan); a[8:16,16:32]=whole[8:16,16:32]
    a=add("gap_shards",chunks=(4,8),shards=(16,16),fill=np.nan); a[4:8,8:16]=whole[4:8,8:16]
    s.close()
    # netcdf kinds
    f=netCDF4.Dataset("kinds4.nc","w")
    f.createDimension("x",4); f.createDimension("c",3); f.createDimension("time",None); f.createDimension("bnds",2); f.createDimension("len",5); f.createDimension("j",2)
    def v(n,k,d,val,g=f,**a):
        fill=a.pop("fill",None); z=a.pop("z",{})
        r=g.createVariable(n,k,d,fill_value=fill,**z); r.set_auto_maskandscale(False); r.setncatts(a)
        if val is not None: r[:]=val
        return r
    v("x","i4",("x",),[0,1,2,3]); v("c","f8",("c",),[1,2,3])
    v("cov","f4",("c","c"),np.arange(9).reshape(3,3))
    for n,k in dict(u1="u1",i1="i1",i2="i2",u2="u2",i4="i4",u4="u4",i8="i8",u8="u8",f4="f4").items():
        r=v(n,k,("x",),None); r[:2]=[1,2]
    v("unsigned","i1",("x",),np.array([-1,-56,3,-2],"i1"),_Unsigned="true",fill=np.int8(-2))
    v("quoted","i2",("x",),[1,2,3,-9],scale_factor="0.5",add_offset="1",missing_value="-9")
    v("ranged","f4",("x",),[1,2,600,4],valid_range="-90.0 ... 90.0")
    v("unscaled","i2",("x",),[1,2,3,4],scale_factor="half")
    v("name","S1",("x","len"),netCDF4.stringtochar(np.array(["A","Bc","","De Bi"],"S5")))
    s=f.createVariable("word",str,("x",)); s[:]=np.array(["one","two","one",""],object)
    v("time","f8",("time",),[15,45],units="days since 2000-01-01",bounds="time_bnds")
    v("time_bnds","f8",("time","bnds"),[[0,31],[31,59]])
    v("tos","f4",("time","j","c"),np.arange(12).reshape(2,2,3),coordinates="nav_lat nav_lon")
    v("nav_lat","f4",("j","c"),[[10,11,12],[20,21,22]],units="degrees_north")
    v("nav_lon","f4",("j","c"),[[1,2,3],[1,2,3]],units="degrees_east")
    v("TEMP-SFC","f4",("x",),[5,6,7,8])
    g=f.createGroup("obs"); q=g.createGroup("qc")
    v("temp","f4",("time","j"),[[1,2],[3,4]],g=g); v("flag","i1",("time","j"),[[0,1],[1,0]],g=q)
    e=f.createEnumType("u1","cloud",{"clear":0,"dark":1}); f.createVariable("sky",e,("x",))
    f.createVLType("i4","ragged"); f.createVariable("lists",f.vltypes["ragged"],("x",))
    f.createCompoundType(np.dtype([("a","f4"),("b","i4")]),"pair"); f.createVariable("pairs",f.cmptypes["pair"],("x",))
    f.close()
    h=h5py.File("kinds4.nc","a")
    d=h.create_dataset("half",data=np.array([1,2.5,np.nan,-3],"f2")); d.dims[0].attach_scale(h["x"])
    h.close()
    # sparse
    f=netCDF4.Dataset("sparse4.nc","w"); f.createDimension("time",None); f.createDimension("y",300); f.createDimension("x",400)
    t=f.createVariable("time","f8",("time",)); t[:]=np.arange(50); t.units="days since 2000-01-01"
    r=f.createVariable("v","f4",("time","y","x"),zlib=True,chunksizes=(1,100,100)); r[7,100:103,200:202]=np.arange(6).reshape(3,2)
    f.close()
    # chunks that are too large, never written
    h=h5py.File("chunks4.nc","w"); h.create_dataset("v",(30000,30000),"f4",chunks=(30000,30000),compression="gzip")
    h.create_dataset("w",data=np.array([1,2,3],"f4")); h.close()


if __name__ == "__main__":
    filters() if sys.argv[1:] == ["filters"] else others()
